import { fireEvent, screen } from '@testing-library/vue'
import { describe, expect, it, vi } from 'vitest'

import WhoAmI from '@/components/WhoAmI.vue'
import { anAdmin, nobody } from '../me'
import { envelope, serve } from '../server'
import { show } from '../show'

describe('WhoAmI', () => {
  it('names who is signed in and leads out', async () => {
    const left = vi.fn()
    vi.stubGlobal('location', { ...globalThis.location, assign: left, origin: globalThis.location.origin })
    const asked = serve({
      'GET /api/v1/me': () => [200, envelope(anAdmin())],
      'POST /api/v1/logout': () => [200, envelope({ signed_out: true })],
    })

    await show(WhoAmI)
    await screen.findByText('安娜')
    await fireEvent.click(screen.getByRole('button'))

    await expect.poll(() => left.mock.calls).toEqual([['/login']])
    expect(asked.map((one) => `${one.method} ${one.path}`)).toEqual(['GET /api/v1/me', 'POST /api/v1/logout'])
    vi.unstubAllGlobals()
  })

  it('says nothing where nobody has to sign in', async () => {
    const asked = serve({ 'GET /api/v1/me': () => [200, envelope(nobody())] })

    const page = await show(WhoAmI)

    await expect.poll(() => asked.length).toBe(1)
    expect(page.container.textContent).toBe('')
  })
})
