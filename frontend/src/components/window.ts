/** The rows that exist for a list of equal rows, and the room, in px, that those not existing leave. */
export interface RowWindow {
  first: number
  last: number
  before: number
  after: number
}

const OVERSCAN = 8

export function windowOf(count: number, rowPx: number, scrollTop: number, viewPx: number): RowWindow {
  const visible = Math.ceil(viewPx / rowPx)
  const top = Math.min(Math.floor(Math.max(0, scrollTop) / rowPx), Math.max(0, count - visible))
  const first = Math.max(0, top - OVERSCAN)
  const last = Math.min(count, top + visible + OVERSCAN)
  return { first, last, before: first * rowPx, after: (count - last) * rowPx }
}
