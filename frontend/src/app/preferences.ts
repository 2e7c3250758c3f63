import { readonly, ref, watchEffect } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
export const THEMES: readonly Theme[] = ['system', 'light', 'dark']

const THEME_KEY = 'theme'
const prefersDark = globalThis.matchMedia?.('(prefers-color-scheme: dark)')

function storedTheme(): Theme {
  const stored = localStorage.getItem(THEME_KEY)
  return THEMES.find((theme) => theme === stored) ?? 'system'
}

const chosen = ref<Theme>(storedTheme())
const systemIsDark = ref(prefersDark?.matches ?? false)
prefersDark?.addEventListener('change', (event) => (systemIsDark.value = event.matches))

export const theme = readonly(chosen)

export function setTheme(value: Theme): void {
  chosen.value = value
  localStorage.setItem(THEME_KEY, value)
}

export function isDark(): boolean {
  return chosen.value === 'dark' || (chosen.value === 'system' && systemIsDark.value)
}

/** Keep <html> in step; called once, before the first paint. */
export function applyTheme(): void {
  watchEffect(
    () => {
      document.documentElement.classList.toggle('dark', isDark())
      document.documentElement.classList.toggle('light', !isDark())
    },
    { flush: 'sync' },
  )
}
