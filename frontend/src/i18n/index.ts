import { createI18n } from 'vue-i18n'

import type { Text } from '@/api/types'
import zhCN from './zh-CN.json'

export const LOCALES = ['zh-CN', 'en'] as const
export type Locale = (typeof LOCALES)[number]

const LOCALE_KEY = 'locale'

declare module 'vue-i18n' {
  // The keys of the bundled language are the type of them all; the check script holds the other one to it.
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  export interface DefineLocaleMessage extends ZhCN {}
}
type ZhCN = typeof zhCN

export const i18n = createI18n({
  legacy: false,
  locale: 'zh-CN' as string,
  fallbackLocale: 'zh-CN',
  messages: { 'zh-CN': zhCN } as Record<string, ZhCN>,
})

function known(value: string | null): Locale | undefined {
  return LOCALES.find((locale) => locale === value)
}

/** `?lang=` first, then the stored choice, then Chinese. */
export function firstLocale(search: string): Locale {
  return known(new URLSearchParams(search).get('lang')) ?? known(localStorage.getItem(LOCALE_KEY)) ?? 'zh-CN'
}

export async function setLocale(locale: Locale): Promise<void> {
  if (locale === 'en' && !i18n.global.availableLocales.includes('en')) {
    i18n.global.setLocaleMessage('en', (await import('./en.json')).default as ZhCN)
  }
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
  localStorage.setItem(LOCALE_KEY, locale)
}

/** The server's own two-language texts. */
export function textOf(text: Text | string | null | undefined, locale: string): string {
  if (text === null || text === undefined) return ''
  if (typeof text === 'string') return text
  return (locale.startsWith('zh') ? text.zh : text.en) ?? text.zh ?? text.en ?? ''
}
