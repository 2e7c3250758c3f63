/** Half-filled forms, one a platform and type, kept in this browser until they are sent. */

const PREFIX = 'draft:'

export function readDraft(place: string): Record<string, unknown> | null {
  const stored = localStorage.getItem(PREFIX + place)
  if (stored === null) return null
  try {
    const draft: unknown = JSON.parse(stored)
    return typeof draft === 'object' && draft !== null ? (draft as Record<string, unknown>) : null
  } catch {
    return null
  }
}

export function writeDraft(place: string, params: Record<string, unknown> | null): void {
  if (params !== null) localStorage.setItem(PREFIX + place, JSON.stringify(params))
}

export function dropDraft(place: string): void {
  localStorage.removeItem(PREFIX + place)
}
