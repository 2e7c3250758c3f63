import { fireEvent, waitFor } from '@testing-library/vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import type { Me } from '@/api/me'
import TaskTable from '@/components/TaskTable.vue'
import VideoCard from '@/components/VideoCard.vue'
import TaskPage from '@/pages/TaskPage.vue'
import TasksPage from '@/pages/TasksPage.vue'
import { useSelection } from '@/tasks/selection'
import { aMember, anAdmin } from '../me'
import { envelope, serve } from '../server'
import { show } from '../show'
import { aTask, cancelledTask } from '../task'

const ME = 'GET /api/v1/me'
const ANNAS = { task_id: 't_1', created_by: '安娜' }
const MINE = { task_id: 't_2', created_by: 'bo' }
const table = (tasks: unknown[]) => ({ tasks, platforms: [], total: tasks.length, chosen: new Set() })

beforeEach(() => {
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true
  }
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})

function taskPage(me: Me, task: ReturnType<typeof aTask>) {
  serve({
    [ME]: () => [200, envelope(me)],
    [`GET /api/v1/tasks/${task.task_id}`]: () => [200, envelope(task)],
    'GET /api/v1/platforms': () => [200, envelope({ items: [] })],
    [`GET /api/v1/tasks/${task.task_id}/logs`]: () => [200, envelope({ items: [], next_cursor: null, first_seq: 0, last_seq: 0 })],
  })
  return show(TaskPage, { taskId: task.task_id, tab: 'params' })
}

describe("a member before another's task", () => {
  it('is offered neither cancel nor choice in the list, and both for their own', async () => {
    serve({ [ME]: () => [200, envelope(aMember())] })

    const page = await show(TaskTable, table([aTask(ANNAS), aTask(MINE)]))

    const row = (id: string) => page.container.querySelector(`[data-task="${id}"]`)!
    await waitFor(() => expect(row('t_1').querySelectorAll('button, input')).toHaveLength(0))
    expect(row('t_2').querySelectorAll('button, input')).toHaveLength(2)
  })

  it('does not cancel it from the keyboard', async () => {
    const asked = serve({ [ME]: () => [200, envelope(aMember())] })
    const page = await show(TaskTable, table([aTask(ANNAS)]))
    const row = page.container.querySelector('[data-task="t_1"]')!
    await waitFor(() => expect(row.querySelectorAll('button')).toHaveLength(0))

    await fireEvent.keyDown(row, { key: 'c' })

    expect(asked.map(({ method }) => method)).toEqual(['GET'])
  })

  it('is not offered to run it again in the list', async () => {
    serve({ [ME]: () => [200, envelope(aMember())] })

    const page = await show(TaskTable, table([cancelledTask(ANNAS)]))

    await waitFor(() => expect(page.queryByText('重跑')).toBeNull())
  })

  it.each([
    ['runs', aTask(ANNAS), []],
    ['is held', aTask({ ...ANNAS, status: 'held' }), []],
    ['has ended', cancelledTask(ANNAS), ['修改后重跑']],
  ])('that %s is told why its page has no buttons', async (_, task, left) => {
    const page = await taskPage(aMember(), task)

    await page.findByText('只有 安娜 和管理员可以取消、重跑或删除这个任务。')
    const offered = [...page.container.querySelectorAll('header .btn')].map((one) => one.textContent?.trim())
    expect(offered.filter((name) => name !== '复制')).toEqual(left)
  })

  it('is not offered to cancel it among the videos', async () => {
    serve({ [ME]: () => [200, envelope(aMember())] })

    const page = await show(VideoCard, { task: aTask({ ...ANNAS, kind: 'generate' }) })

    await waitFor(() => expect(page.queryByRole('button')).toBeNull())
  })

  it('chooses only their own when they choose all', () => {
    const selection = useSelection(
      () => [aTask(ANNAS), aTask(MINE)],
      (task) => task.created_by === 'bo',
    )

    selection.toggleAll()

    expect(selection.selected.value.map((task) => task.task_id)).toEqual(['t_2'])
    expect(selection.isAll.value).toBe(true)
  })
})

it("an admin is offered everything on another's task", async () => {
  const page = await taskPage(anAdmin(), cancelledTask(MINE))

  await page.findByText('由 bo 创建')
  for (const name of ['重跑', '修改后重跑', '删除']) expect(page.getByText(name)).toBeTruthy()
  expect(page.container.querySelector('[data-others]')).toBeNull()
})

describe('all that match', () => {
  async function chooseAll(me: Me) {
    const tasks = [aTask(ANNAS), aTask(MINE)]
    const asked = serve({
      [ME]: () => [200, envelope(me)],
      'GET /api/v1/platforms': () => [200, envelope({ items: [] })],
      'GET /api/v1/tasks': ({ search }) => {
        const facets = { status: { running: search.get('created_by') === 'bo' ? 2 : 7 }, kind: {}, platform: {} }
        return [200, envelope({ items: tasks, next_cursor: null, total: 7, stream_cursor: null, facets })]
      },
      'DELETE /api/v1/tasks': () => [200, envelope({ matched: 2, cancelled: 2, cancelling: 0 })],
    })
    const page = await show(TasksPage)
    const box = (await page.findByLabelText<HTMLInputElement>('选择全部可取消的任务'))!
    await waitFor(() => expect(asked.filter(({ path }) => path === '/api/v1/me')).toHaveLength(1))
    await waitFor(() => expect(page.container.querySelectorAll('tbody input')).toHaveLength(me.role === 'admin' ? 2 : 1))
    await fireEvent.click(box)
    return { page, asked }
  }

  it('are counted and cancelled of a member as their own', async () => {
    const { page, asked } = await chooseAll(aMember())

    await fireEvent.click(await page.findByText('取消全部符合条件的 2'))
    await fireEvent.click(page.getByText('取消 2 个任务'))

    await waitFor(() => expect(asked.some(({ method }) => method === 'DELETE')).toBe(true))
    const sent = asked.find(({ method }) => method === 'DELETE')!.search
    expect([sent.get('created_by'), sent.get('status')]).toEqual(['bo', 'active'])
  })

  it("are everybody's to an admin", async () => {
    const { page } = await chooseAll(anAdmin())

    await page.findByText('取消全部符合条件的 7')
  })
})
