/** From fields to the values of a form and back to the parameters of a task. */

import type { ErrorField } from '@/api/types'
import type { Field } from './resolve'

export type Values = Record<string, unknown>

/** Problems by the field they belong to; `index` tells which entry of a list. */
export type Problems = Record<string, { message: string; index: number | null }[]>

export type Complaint = { key: 'required' | 'notUrl' | 'notJson' | 'tooFew' | 'tooLong'; limit: number }

export function initialValues(fields: readonly Field[], given: Values): Values {
  return Object.fromEntries(fields.map((field) => [field.name, initialValue(field, given[field.name])]))
}

function initialValue(field: Field, given: unknown): unknown {
  const value = given ?? field.fallback
  switch (field.kind) {
    case 'object':
      return initialValues(field.fields, (value ?? {}) as Values)
    case 'tags':
    case 'multiselect':
      return Array.isArray(value) ? [...(value as unknown[])] : []
    case 'switch':
      return value === true
    case 'json':
      return value === undefined || value === null ? '' : JSON.stringify(value, null, 2)
    default:
      return value ?? null
  }
}

export function isVisible(field: Field, values: Values): boolean {
  return field.visibleWhen === null || values[field.visibleWhen.field] === field.visibleWhen.equals
}

/** The parameters to send: what is hidden or left empty is left out, so that the server's defaults hold. */
export function paramsOf(fields: readonly Field[], values: Values): Values {
  const shown = fields.filter((field) => isVisible(field, values))
  const entries = shown.map((field) => [field.name, paramOf(field, values[field.name])] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function paramOf(field: Field, value: unknown): unknown {
  if (field.kind === 'json') return typeof value === 'string' && value.trim() !== '' ? JSON.parse(value) : undefined
  if (field.kind === 'object') {
    const inner = paramsOf(field.fields, (value ?? {}) as Values)
    return Object.keys(inner).length > 0 ? inner : undefined
  }
  if (Array.isArray(value)) return value.length > 0 ? value : undefined
  return value === null || value === '' ? undefined : value
}

/** What can be seen without asking the server; the server's word is the one that counts. */
export function complaintsOf(fields: readonly Field[], values: Values): Record<string, Complaint> {
  const found: Record<string, Complaint> = {}
  for (const field of fields.filter((candidate) => isVisible(candidate, values))) {
    const complaint = complaintOf(field, values[field.name])
    if (complaint) found[field.name] = complaint
    if (field.kind === 'object') {
      const inner = complaintsOf(field.fields, (values[field.name] ?? {}) as Values)
      for (const [name, entry] of Object.entries(inner)) found[`${field.name}.${name}`] = entry
    }
  }
  return found
}

function complaintOf(field: Field, value: unknown): Complaint | null {
  const isEmpty = value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
  if (isEmpty) return field.isRequired && field.kind !== 'object' ? { key: 'required', limit: 0 } : null
  if (field.kind === 'json') return isJson(String(value)) ? null : { key: 'notJson', limit: 0 }
  if (field.kind === 'url') return isUrl(String(value)) ? null : { key: 'notUrl', limit: 0 }
  if (field.kind === 'tags') return tagsComplaint(field, value as string[])
  if ('maxLength' in field && field.maxLength !== null && String(value).length > field.maxLength) {
    return { key: 'tooLong', limit: field.maxLength }
  }
  return null
}

function tagsComplaint(field: Field & { kind: 'tags' }, tags: string[]): Complaint | null {
  if (tags.length < field.minItems) return { key: 'tooFew', limit: field.minItems }
  return field.isUrl && !tags.every(isUrl) ? { key: 'notUrl', limit: 0 } : null
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function isUrl(text: string): boolean {
  return URL.canParse(text)
}

/**
 * Give each of the server's complaints to the field it is about.
 *
 * A path is dotted and begins with `params.`; the longest field name that it starts with wins. What belongs to
 * no field is handed back, so that nothing the server said is lost.
 */
export function problemsOf(fields: readonly Field[], errors: readonly ErrorField[]): { problems: Problems; rest: ErrorField[] } {
  const names = namesOf(fields).sort((a, b) => b.length - a.length)
  const problems: Problems = {}
  const rest: ErrorField[] = []
  for (const error of errors) {
    const path = error.path.replace(/^params\./, '')
    const name = names.find((candidate) => path === candidate || path.startsWith(`${candidate}.`))
    if (name === undefined) rest.push(error)
    else (problems[name] ??= []).push({ message: error.message, index: indexIn(path.slice(name.length + 1)) })
  }
  return { problems, rest }
}

function namesOf(fields: readonly Field[], prefix = ''): string[] {
  return fields.flatMap((field) => {
    const name = prefix + field.name
    return field.kind === 'object' ? [name, ...namesOf(field.fields, `${name}.`)] : [name]
  })
}

function indexIn(path: string): number | null {
  const index = /^\d+/.exec(path)?.[0]
  return index === undefined ? null : Number(index)
}

/** One entry a line; empty lines and doubles go. */
export function splitLines(text: string): string[] {
  return [...new Set(text.split(/[\r\n\t]+/).map((line) => line.trim()))].filter((line) => line !== '')
}
