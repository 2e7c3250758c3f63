import { screen } from '@testing-library/vue'
import { describe, expect, it, vi } from 'vitest'

import type { Retention } from '@/api/types'
import RetentionCard from '@/components/RetentionCard.vue'
import { show } from '../show'

const getRetention = vi.hoisted(() => vi.fn<() => Promise<Retention>>())
vi.mock('@/api/tasks', async (original) => ({ ...(await original<object>()), getRetention }))

const GB = 1024 ** 3
const disk = { total_bytes: 100 * GB, free_bytes: 10 * GB }

describe('RetentionCard', () => {
  it('says what each rule would purge now, and how full the disk is', async () => {
    const before = '2026-10-23T08:00:00.000Z'
    const counted = { tasks: 12, items: 3400, files: 5, size_bytes: 2 * GB, is_capped: false }
    const rules = [
      { kind: 'crawl', status: 'failed', days: 30, before, ...counted },
      { kind: 'all', status: 'cancelled', days: 7, before, ...counted, tasks: 0 },
    ]
    getRetention.mockResolvedValue({ rules, disk })

    const page = await show(RetentionCard, {})

    await screen.findByText('采集 · 失败')
    expect(screen.getByText('现在会删除 12 个任务、3,400 条结果、至多 5 个文件（2 GB）')).toBeTruthy()
    expect(screen.getByText('全部 · 已取消')).toBeTruthy()
    expect(screen.getByText('现在没有到期的任务')).toBeTruthy()
    expect(screen.getByText('磁盘剩余 10 GB，共 100 GB，已用 90%')).toBeTruthy()
    expect(page.container.querySelector<HTMLElement>('.filled.warning')!.style.width).toBe('90%')
  })

  it('says that nothing is purged while no rule is set', async () => {
    getRetention.mockResolvedValue({ rules: [], disk })

    await show(RetentionCard, {})

    await screen.findByText(/没有设置保留期/)
  })
})
