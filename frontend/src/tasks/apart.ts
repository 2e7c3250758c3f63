/** One form, several tasks: each address of a list of addresses, or each line of a prompt, by itself. */

import type { Field } from '@/schema-form/resolve'
import { splitLines, type Values } from '@/schema-form/values'

export interface Apart {
  field: string
  entries: string[]
  /** The parameters of the task of one entry. */
  paramsOf: (entry: string) => Values
}

/** What the filled form could be parted into; null when it is one task anyway. */
export function apartOf(fields: readonly Field[], params: Values): Apart | null {
  for (const { name, kind, ...field } of fields) {
    const isList = kind === 'tags' && 'isUrl' in field && field.isUrl
    const isPrompt = name === 'prompt' && (kind === 'textarea' || kind === 'text')
    if (!isList && !isPrompt) continue
    const entries = isList ? ((params[name] ?? []) as string[]) : splitLines(String(params[name] ?? ''))
    if (entries.length < 2) continue
    return { field: name, entries, paramsOf: (entry) => ({ ...params, [name]: isList ? [entry] : entry }) }
  }
  return null
}

/** The form's own value of a parted field, from the entries that are left. */
export function joined(before: unknown, entries: readonly string[]): unknown {
  return Array.isArray(before) ? [...entries] : entries.join('\n')
}
