import { expect, it } from 'vitest'

import { STATUSES } from '@/api/types'
import StatusChip from '@/components/StatusChip.vue'
import { i18n, setLocale } from '@/i18n'
import { STATUS_LOOK } from '@/tasks/status'
import { show } from '../show'

it.each(STATUSES)('%s has a word, a shape and a tone', async (status) => {
  const page = await show(StatusChip, { status })

  const chip = page.container.querySelector('.chip')!
  expect(chip.textContent).toContain(i18n.global.t(`status.${status}`))
  expect(chip.textContent).toContain(STATUS_LOOK[status].mark)
  expect(chip.className).toContain(STATUS_LOOK[status].tone)
})

it('speaks the chosen language', async () => {
  await setLocale('en')

  const page = await show(StatusChip, { status: 'partial' })

  expect(page.getByText(/Partial/)).toBeTruthy()
  expect(document.documentElement.lang).toBe('en')
  await setLocale('zh-CN')
})
