import { shallowRef } from 'vue'

import type { Tone } from '@/tasks/status'

export interface Toast {
  id: number
  tone: Tone
  text: string
}

const SHOWN_MS = 6_000
let lastId = 0

export const toasts = shallowRef<readonly Toast[]>([])

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

/** Shown for six seconds in a polite live region, so that it is spoken too. */
export function say(text: string, tone: Tone = 'info'): void {
  lastId += 1
  const id = lastId
  toasts.value = [...toasts.value.slice(-3), { id, tone, text }]
  setTimeout(() => dismiss(id), SHOWN_MS)
}
