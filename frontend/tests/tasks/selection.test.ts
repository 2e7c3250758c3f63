import { expect, it } from 'vitest'
import { shallowRef } from 'vue'

import { useSelection } from '@/tasks/selection'
import { aTask, cancelledTask } from '../task'

const rows = shallowRef(['a', 'b', 'c', 'd'].map((id) => aTask({ task_id: id })))
const ids = (selection: ReturnType<typeof useSelection>) => selection.selected.value.map((task) => task.task_id)

it('a range is chosen from the last row that was clicked', () => {
  const selection = useSelection(() => rows.value)

  selection.toggle('a')
  selection.toggle('c', true)

  expect(ids(selection)).toEqual(['a', 'b', 'c'])
  selection.toggle('b', true)
  expect(ids(selection)).toEqual(['a'])
})

it('what has ended is not chosen any more', () => {
  const moving = shallowRef(rows.value)
  const selection = useSelection(() => moving.value)
  selection.toggleAll()
  expect(selection.isAll.value).toBe(true)

  moving.value = [cancelledTask({ task_id: 'a' }), ...rows.value.slice(1)]

  expect(ids(selection)).toEqual(['b', 'c', 'd'])
})
