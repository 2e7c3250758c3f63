import { client, unwrap } from './client'
import type { components } from './generated'

export type Me = components['schemas']['MeOut']

const ME = '/api/v1/me'
const LOGOUT = '/api/v1/logout'

export function getMe(signal?: AbortSignal): Promise<Me> {
  return unwrap(ME, client.GET(ME, { signal }))
}

/** End the session of this browser; the caller then leaves the page, where nothing can be read any more. */
export async function logOut(): Promise<void> {
  await unwrap(LOGOUT, client.POST(LOGOUT))
}
