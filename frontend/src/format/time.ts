/** Times and lengths of time, by locale. Input is ms or s as the name says; times are RFC 3339 strings. */

const SECOND_MS = 1_000
const MINUTE_S = 60
const HOUR_S = 3_600
const DAY_S = 86_400

/** "0:07", "1:20", "1:02:03": elapsed time, seconds cut off. Negative lengths (clock skew) are 0. */
export function clockLength(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const pad = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(whole / HOUR_S)
  const minutes = Math.floor((whole % HOUR_S) / MINUTE_S)
  const rest = pad(whole % MINUTE_S)
  return hours > 0 ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`
}

/** Seconds with two digits under 10 s, one above: 420 ms is "0.42". */
export function secondsOf(ms: number, locale: string): string {
  const digits = ms < 10 * SECOND_MS ? 2 : 1
  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(ms / SECOND_MS)
}

/** Seconds between two times; `end` null means until `now` (ms). Null when it has not begun. */
export function lengthBetween(start: string | null, end: string | null, now: number): number | null {
  if (start === null) return null
  return Math.max(0, ((end === null ? now : Date.parse(end)) - Date.parse(start)) / SECOND_MS)
}

const STEPS: [limit: number, unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  [MINUTE_S, 'second', 1],
  [HOUR_S, 'minute', MINUTE_S],
  [DAY_S, 'hour', HOUR_S],
  [30 * DAY_S, 'day', DAY_S],
  [365 * DAY_S, 'month', 30 * DAY_S],
  [Infinity, 'year', 365 * DAY_S],
]

export function relativeTime(at: string, now: number, locale: string): string {
  const seconds = Math.round((Date.parse(at) - now) / SECOND_MS)
  const size = Math.abs(seconds)
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  if (size < 5) return format.format(0, 'second')
  const [, unit, length] = STEPS.find(([limit]) => size < limit) ?? STEPS[STEPS.length - 1]!
  return format.format(Math.trunc(seconds / length), unit)
}

export function dateTime(at: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at))
}

/** "12:01:33.120", local time, for log lines. */
export function logTime(at: string): string {
  const date = new Date(at)
  const pad = (value: number, width = 2) => String(value).padStart(width, '0')
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`
}
