import { screen } from '@testing-library/vue'
import { describe, expect, it, vi } from 'vitest'

import type { Drift, FieldDrift } from '@/api/types'
import DriftPanel from '@/components/DriftPanel.vue'
import { show } from '../show'

const getDrift = vi.hoisted(() => vi.fn<(platform: string) => Promise<Drift>>())
vi.mock('@/api/tasks', async (original) => ({ ...(await original<object>()), getDrift }))

function field(name: string, recent: number, before: number | null, state: FieldDrift['state'] = 'ok'): FieldDrift {
  return { field: name, recent, before, state, since: null }
}

function drift(fields: FieldDrift[], dry = 0): Drift {
  const window = { since: null, until: null }
  const group = { kind: 'post' as const, source: 'note:state', recent: { items: 120, ...window }, before: { items: 1300, ...window }, fields }
  return { platform: 'xhs', tasks: 9, counted_to: null, dry, groups: fields.length ? [group] : [] }
}

describe('DriftPanel', () => {
  it('shows a bar for each field that was ever filled, and names the dry ones', async () => {
    getDrift.mockResolvedValue(drift([field('title', 0, 1, 'dry'), field('text', 0.93, 0.9), field('view', 0, 0)], 1))

    const page = await show(DriftPanel, { platform: 'xhs' })

    await screen.findByText('1 个字段疑似失效')
    expect([...page.container.querySelectorAll('[data-field]')].map((row) => row.getAttribute('data-field'))).toEqual(['title', 'text'])
    expect(page.container.querySelector<HTMLElement>('[data-field="text"] .filled')!.style.width).toBe('93%')
    expect(screen.getByText('0%（此前 100%）')).toBeTruthy()
    expect(screen.getByText('疑似失效')).toBeTruthy()
    expect(screen.getByText('帖子 · note:state · 最近 120 条，对比此前 1,300 条')).toBeTruthy()
  })

  it('shows nothing where nothing was counted', async () => {
    getDrift.mockResolvedValue(drift([]))

    const page = await show(DriftPanel, { platform: 'web' })

    await vi.waitFor(() => expect(getDrift).toHaveBeenCalledWith('web', expect.anything()))
    expect(page.container.querySelector('details')).toBeNull()
  })
})
