import type { Platform, Text } from '@/api/types'

export interface Example {
  platform: string
  platformTitle: Text
  type: string
  title: Text
  params: Record<string, unknown>
}

/** Known to need no key and no login, in the order in which they teach most. */
const FIRST = ['rss', 'web', 'storyboard']
const SHOWN = 3

/** Up to three examples that can run right now: the teaching ones first, then whatever else is available. */
export function firstExamples(platforms: readonly Platform[]): Example[] {
  const runnable = platforms.filter((platform) => platform.availability.available && !platform.auth.needed)
  const rank = (platform: Platform) => (FIRST.includes(platform.id) ? FIRST.indexOf(platform.id) : FIRST.length)
  return [...runnable]
    .sort((a, b) => rank(a) - rank(b))
    .flatMap(exampleOf)
    .slice(0, SHOWN)
}

function exampleOf(platform: Platform): Example[] {
  const ordered = [...platform.types].sort((a, b) => Number(b.id === platform.default_type) - Number(a.id === platform.default_type))
  const type = ordered.find((candidate) => candidate.examples.length > 0)
  const example = type?.examples[0]
  if (type === undefined || example === undefined) return []
  return [{ platform: platform.id, platformTitle: platform.title, type: type.id, title: example.title, params: example.params }]
}
