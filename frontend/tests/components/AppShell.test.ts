import { screen } from '@testing-library/vue'
import { describe, expect, it } from 'vitest'

import AppShell from '@/components/AppShell.vue'
import { serve } from '../server'
import { show } from '../show'

const health = (stale: boolean) => ({
  ...{ status: 'ok', version: '0.1.0', revision: 'a1b2c3d', stale, uptime_s: 1, pid: 1, memory_mode: false },
  components: {},
})

describe('AppShell', () => {
  it('says that the code on disk is newer, with the command and what runs', async () => {
    serve({ 'GET /health': () => [200, health(true)] })

    const page = await show(AppShell)

    await screen.findByText(/代码已更新，重启后生效/)
    expect(page.container.querySelector('.banner')!.textContent).toContain('mediacrawer restart')
    expect(page.container.querySelector('.banner')!.textContent).toContain('a1b2c3d')
  })

  it('says nothing while the code on disk runs', async () => {
    const asked = serve({ 'GET /health': () => [200, health(false)] })

    const page = await show(AppShell)

    await expect.poll(() => asked.length).toBeGreaterThan(0)
    expect(page.container.querySelector('.banner')).toBeNull()
  })
})
