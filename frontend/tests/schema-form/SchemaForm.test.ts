import { fireEvent } from '@testing-library/vue'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { defineComponent, h, ref } from 'vue'

import type { JsonSchema } from '@/api/types'
import SchemaForm from '@/schema-form/SchemaForm.vue'
import { resolveFields } from '@/schema-form/resolve'
import { complaintsOf, initialValues, type Problems, type Values } from '@/schema-form/values'
import { show } from '../show'

const SCHEMA: JsonSchema = {
  type: 'object',
  required: ['start_urls'],
  properties: {
    start_urls: { type: 'array', items: { type: 'string', format: 'uri' }, title: '起始网址' },
    prompt: { type: 'string', format: 'textarea', title: '提示词' },
    strange: { not: { type: 'string' }, title: '奇怪的字段' },
    deep: { type: 'string', title: '深处', 'x-ui': { group: '高级' } },
  },
}

async function showForm(problems: Problems = {}, sent = false) {
  const fields = resolveFields(SCHEMA)
  const values = ref<Values>(initialValues(fields, {}))
  const Holder = defineComponent(() => () =>
    h(SchemaForm, {
      fields,
      problems,
      complaints: sent ? complaintsOf(fields, values.value) : {},
      modelValue: values.value,
      'onUpdate:modelValue': (next: Values) => (values.value = next),
    }),
  )
  return { ...(await show(Holder)), values }
}

describe('a form from a schema', () => {
  it('shows a field it does not know as JSON, with a warning', async () => {
    const page = await showForm()

    expect(page.getByLabelText(/奇怪的字段/).tagName).toBe('TEXTAREA')
    expect(page.getByText('这个字段没有专门的控件，请填写 JSON。')).toBeTruthy()
  })

  it('adds an entry with Enter, but not while a Chinese input method composes', async () => {
    const page = await showForm()
    const input = page.getByLabelText(/起始网址/)

    await userEvent.type(input, 'https://a.example/')
    await fireEvent.keyDown(input, { key: 'Enter', isComposing: true })
    expect(page.values.value['start_urls']).toEqual([])
    await fireEvent.keyDown(input, { key: 'Enter' })

    expect(page.values.value['start_urls']).toEqual(['https://a.example/'])
  })

  it('writes what is typed into the values', async () => {
    const page = await showForm()

    await userEvent.type(page.getByLabelText(/提示词/), '清晨')

    expect(page.values.value['prompt']).toBe('清晨')
  })

  it("shows the server's complaint at its field, with the place in the list", async () => {
    const page = await showForm({ start_urls: [{ message: '不允许访问内网地址', index: 0 }] })

    const field = page.container.querySelector('[data-field="start_urls"]')!
    expect(field.textContent).toContain('第 1 项：不允许访问内网地址')
    expect(page.getByLabelText(/起始网址/).getAttribute('aria-invalid')).toBe('true')
  })

  it('opens the advanced part when the complaint is in it', async () => {
    const page = await showForm({ deep: [{ message: '太深', index: null }] })

    expect(page.container.querySelector('details')?.hasAttribute('open')).toBe(true)
  })

  it('says what is required once it was sent', async () => {
    const page = await showForm({}, true)

    expect(page.container.querySelector('[data-field="start_urls"]')?.textContent).toContain('必填')
  })
})
