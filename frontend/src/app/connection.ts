import { computed, reactive, readonly } from 'vue'

interface Connection {
  state: 'connecting' | 'connected' | 'offline'
  failures: number
  lastReachedAt: number | null
}

const ONE_MOMENT_MS = 1_000
let lastFailedAt = 0

const state = reactive<Connection>({ state: 'connecting', failures: 0, lastReachedAt: null })

export const connection = readonly(state)

/** Actions are disabled while nobody would hear them. */
export const isOffline = computed(() => state.state === 'offline')

export function reached(now: number = Date.now()): void {
  state.state = 'connected'
  state.failures = 0
  state.lastReachedAt = now
}

/** Several questions of one moment that nobody answers are one failure. */
export function failed(now: number = Date.now()): void {
  state.state = 'offline'
  if (state.failures > 0 && now - lastFailedAt < ONE_MOMENT_MS) return
  lastFailedAt = now
  state.failures += 1
}
