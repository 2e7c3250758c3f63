import { onScopeDispose, readonly, ref, type Ref, watch } from 'vue'

/** One clock for all relative times on the page; it stands still while nobody looks at it. */
const now = ref(Date.now())
let watchers = 0
let timer: ReturnType<typeof setInterval> | undefined

export function useNow(): Readonly<Ref<number>> {
  watchers += 1
  if (timer === undefined) {
    now.value = Date.now()
    timer = setInterval(() => {
      if (!document.hidden) now.value = Date.now()
    }, 1_000)
  }
  onScopeDispose(() => {
    watchers -= 1
    if (watchers === 0) {
      clearInterval(timer)
      timer = undefined
    }
  })
  return readonly(now)
}

/** ms since `since` (performance.now()), ten times a second, for the ticking "0.3s" of a cancel; 0 while there is none. */
export function useTicking(since: () => number | undefined): Readonly<Ref<number>> {
  const elapsed = ref(0)
  watch(
    since,
    (start, _before, onCleanup) => {
      elapsed.value = start === undefined ? 0 : performance.now() - start
      if (start === undefined) return
      const ticking = setInterval(() => (elapsed.value = performance.now() - start), 100)
      onCleanup(() => clearInterval(ticking))
    },
    { immediate: true },
  )
  return readonly(elapsed)
}
