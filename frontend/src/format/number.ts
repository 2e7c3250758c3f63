const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

export function count(value: number, locale: string): string {
  return new Intl.NumberFormat(locale).format(value)
}

/** Sizes in steps of 1024, one digit from KB on: 812345 is "793.3 KB". */
export function bytes(size: number, locale: string): string {
  let value = size
  let step = 0
  while (value >= 1024 && step < UNITS.length - 1) {
    value /= 1024
    step += 1
  }
  const digits = step === 0 ? 0 : 1
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)} ${UNITS[step]}`
}

export function rate(value: number, locale: string): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(value)
}

/** A share of 0 to 1 in whole percents. */
export function percent(share: number, locale: string): string {
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 }).format(share)
}
