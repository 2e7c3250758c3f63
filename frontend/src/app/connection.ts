import { computed, reactive, readonly } from 'vue'

interface Connection {
  state: 'connecting' | 'connected' | 'offline'
  failures: number
  lastReachedAt: number | null
}

const state = reactive<Connection>({ state: 'connecting', failures: 0, lastReachedAt: null })

export const connection = readonly(state)

/** Actions are disabled while nobody would hear them. */
export const isOffline = computed(() => state.state === 'offline')

export function reached(now: number = Date.now()): void {
  state.state = 'connected'
  state.failures = 0
  state.lastReachedAt = now
}

export function failed(): void {
  state.state = 'offline'
  state.failures += 1
}
