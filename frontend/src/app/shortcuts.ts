import { onMounted, onScopeDispose } from 'vue'

const TYPING = new Set(['INPUT', 'TEXTAREA', 'SELECT'])

/** True while a key belongs to what is being written; Chinese input methods compose with plain letters. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null
  return event.isComposing || target?.isContentEditable === true || TYPING.has(target?.tagName ?? '')
}

export function useShortcuts(actions: Readonly<Record<string, () => void>>): void {
  const onKey = (event: KeyboardEvent) => {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
    const action = actions[event.key]
    if (action === undefined) return
    event.preventDefault()
    action()
  }
  onMounted(() => document.addEventListener('keydown', onKey))
  onScopeDispose(() => document.removeEventListener('keydown', onKey))
}
