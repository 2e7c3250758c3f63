import { fireEvent, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { Challenge, TaskRecord } from '@/api/types'
import ChallengePanel from '@/components/ChallengePanel.vue'
import StatusChip from '@/components/StatusChip.vue'
import { isChallenged } from '@/tasks/status'
import { envelope, refusal, serve } from '../server'
import { show } from '../show'
import { aTask } from '../task'

const PATH = 'GET /api/v1/tasks/t_1/challenge'
const NOW = Date.parse('2026-11-22T08:02:00.000Z')

function aChallenge(change: Partial<Challenge> = {}): Challenge {
  return {
    kind: 'qr',
    screenshot_url: '/api/v1/tasks/t_1/challenge/screenshot?v=a',
    qr_url: '/api/v1/tasks/t_1/challenge/qr?v=b',
    page_url: 'https://www.example.org/login',
    since: '2026-11-22T08:00:30.000Z',
    ...change,
  }
}

const NOTICE = { code: 'NEEDS_LOGIN', message: '需要扫码登录', action: '请用手机 App 扫描二维码' }

function asking(change: Partial<TaskRecord> = {}): TaskRecord {
  const progress = { ...aTask().progress, stage: 'needs_person' as const }
  return aTask({ progress, notice: NOTICE, ...change })
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  vi.spyOn(Date, 'now').mockReturnValue(NOW)
})

describe('a page that waits for a person', () => {
  it('shows what is needed, the code, the page, and the time that is left', async () => {
    serve({ [PATH]: () => [200, envelope(aChallenge())] })

    const panel = await show(ChallengePanel, { task: asking() })

    expect((await panel.findByAltText('要扫描的二维码')).getAttribute('src')).toBe('/api/v1/tasks/t_1/challenge/qr?v=b')
    expect(panel.getByAltText('页面截图').getAttribute('src')).toBe('/api/v1/tasks/t_1/challenge/screenshot?v=a')
    expect(panel.getByText('需要扫码登录')).toBeTruthy()
    expect(panel.getByText('请用手机 App 扫描二维码')).toBeTruthy()
    expect(panel.getByRole('timer').textContent).toContain('8:30')
    expect(panel.getByText(/打开这个页面/).getAttribute('href')).toBe('https://www.example.org/login')
    expect(panel.queryByRole('button')).toBeNull()
  })

  it('offers to go on when the task waits, and shows no code that is no longer good', async () => {
    serve({ [PATH]: () => [200, envelope(aChallenge())] })
    const panel = await show(ChallengePanel, { task: asking({ status: 'waiting' }) })
    await panel.findByText(/打开这个页面/)

    await fireEvent.click(panel.getByRole('button', { name: '继续' }))

    expect(panel.emitted().resume).toHaveLength(1)
    expect(panel.queryByRole('img')).toBeNull()
    expect(panel.queryByRole('timer')).toBeNull()
  })

  it('shows what a page looked like that waits for a login or a captcha', async () => {
    serve({ [PATH]: () => [200, envelope(aChallenge({ kind: 'captcha', qr_url: null }))] })

    const panel = await show(ChallengePanel, { task: asking({ status: 'waiting' }) })

    expect(await panel.findByAltText('页面截图')).toBeTruthy()
  })

  it('shows the new code when the task tells of one', async () => {
    let answer = aChallenge()
    serve({ [PATH]: () => [200, envelope(answer)] })
    const panel = await show(ChallengePanel, { task: asking() })
    await panel.findByAltText('要扫描的二维码')

    answer = aChallenge({ qr_url: '/api/v1/tasks/t_1/challenge/qr?v=c' })
    await panel.queryClient.invalidateQueries({ queryKey: ['task', 't_1', 'parts'] })

    await waitFor(() =>
      expect(panel.getByAltText('要扫描的二维码').getAttribute('src')).toBe('/api/v1/tasks/t_1/challenge/qr?v=c'),
    )
  })

  it('says what the notice says when there is nothing to show', async () => {
    serve({ [PATH]: () => [404, refusal(40402, 'NOT_FOUND')] })

    const panel = await show(ChallengePanel, { task: asking({ status: 'waiting' }) })

    expect(await panel.findByText('需要扫码登录')).toBeTruthy()
    expect(panel.getByRole('button', { name: '继续' })).toBeTruthy()
    expect(panel.queryByRole('img')).toBeNull()
  })

  it('follows no address that is not of the web', async () => {
    serve({ [PATH]: () => [200, envelope(aChallenge({ page_url: 'javascript:alert(1)' }))] })
    const panel = await show(ChallengePanel, { task: asking() })
    await panel.findByAltText('要扫描的二维码')

    expect(panel.queryByText(/打开这个页面/)).toBeNull()
  })

  it('counts no time below nothing', async () => {
    serve({ [PATH]: () => [200, envelope(aChallenge({ since: '2026-11-22T07:00:00.000Z' }))] })

    const panel = await show(ChallengePanel, { task: asking() })

    expect((await panel.findByRole('timer')).textContent).toContain('时间已到')
  })
})

describe('where a page may be shown', () => {
  it.each([
    ['running with its page open', asking(), true],
    ['waiting for a login', asking({ status: 'waiting' }), true],
    ['waiting for a key', asking({ status: 'waiting', notice: { ...NOTICE, code: 'NO_KEY' } }), false],
    ['running', aTask(), false],
    ['cancelled meanwhile', asking({ status: 'cancelled', is_final: true }), false],
  ])('%s', (_name, task, expected) => {
    expect(isChallenged(task)).toBe(expected)
  })

  it('marks a running task that needs a person, by shape and word, until it is being cancelled', async () => {
    const marked = await show(StatusChip, { status: 'running', isPageOpen: true })
    const stopping = await show(StatusChip, { status: 'cancelling', isPageOpen: true })

    expect(marked.container.textContent).toContain('需要处理')
    expect(stopping.container.textContent).toContain('取消中…')
  })
})
