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

/** Up to three examples that can run right now: one of each platform, the teaching ones first, then second ones. */
export function firstExamples(platforms: readonly Platform[]): Example[] {
  const runnable = platforms.filter((platform) => platform.availability.available && !platform.auth.needed)
  const rank = (platform: Platform) => (FIRST.includes(platform.id) ? FIRST.indexOf(platform.id) : FIRST.length)
  const byPlatform = [...runnable].sort((a, b) => rank(a) - rank(b)).map(examplesOf)
  const rounds = Array.from({ length: SHOWN }, (_, round) => byPlatform.flatMap((examples) => examples.slice(round, round + 1)))
  return rounds.flat().slice(0, SHOWN)
}

function examplesOf(platform: Platform): Example[] {
  const isDefault = (id: string) => Number(id === platform.default_type)
  const types = [...platform.types].sort((a, b) => isDefault(b.id) - isDefault(a.id))
  return types.flatMap((type) =>
    type.examples.map(({ title, params }) => ({
      platform: platform.id,
      platformTitle: platform.title,
      type: type.id,
      title,
      params,
    })),
  )
}
