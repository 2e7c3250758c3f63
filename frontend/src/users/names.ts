/** What a caller is called on the page: people by their name, programs by what they are. */

import { useI18n } from 'vue-i18n'

/** Who acts on a server besides its people. */
export const PROGRAMS = ['local', 'token', 'cli', 'retention']

/** Gives the words for the name that the server keeps of a caller. */
export function useCallerName(): (name: string) => string {
  const { t, te } = useI18n()
  return (name) => (te(`audit.who.${name}`) ? t(`audit.who.${name}`) : name)
}
