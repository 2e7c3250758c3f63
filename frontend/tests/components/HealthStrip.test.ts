import { describe, expect, it } from 'vitest'

import HealthStrip from '@/components/HealthStrip.vue'
import { show } from '../show'

describe('the strip of health', () => {
  it('tells in the colour of danger that the server cannot be reached', async () => {
    const page = await show(HealthStrip, { health: undefined, error: new Error('gone') })

    // The tones colour `.ink` only: alone, `danger` has no colour.
    expect([...page.getByText(/▲/).classList]).toEqual(['ink', 'danger'])
  })
})
