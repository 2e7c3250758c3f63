import { client, unwrap } from './client'
import type { components, operations } from './generated'

type Schemas = components['schemas']

export type User = Schemas['UserOut']
export type UserList = Schemas['UserList']
export type Role = User['role']
export type Token = Schemas['TokenOut']
export type TokenList = Schemas['TokenList']
export type TokenMade = Schemas['TokenMade']
export type AuditEntry = Schemas['AuditEntryOut']
export type AuditList = Schemas['AuditList']
export type AuditQuery = NonNullable<operations['get_audit']['parameters']['query']>

const USERS = '/api/v1/users'
const TOKENS = '/api/v1/tokens'
const ME = '/api/v1/me'
const AUDIT = '/api/v1/audit'

export function listUsers(signal?: AbortSignal): Promise<UserList> {
  return unwrap(USERS, client.GET(USERS, { signal }))
}

export function addUser(user: { name: string; password: string; role: Role }): Promise<User> {
  return unwrap(USERS, client.POST(USERS, { body: user }))
}

export function changeUser(userId: string, change: { role?: Role; is_disabled?: boolean; password?: string }): Promise<User> {
  const call = client.PATCH('/api/v1/users/{user_id}', { params: { path: { user_id: userId } }, body: change })
  return unwrap(`${USERS}/${userId}`, call)
}

/** Their sessions and tokens end, their tasks stay, and the name is never given again. */
export async function removeUser(userId: string): Promise<void> {
  const path = { user_id: userId }
  await unwrap(`${USERS}/${userId}`, client.DELETE('/api/v1/users/{user_id}', { params: { path } }))
}

/** Who did what, the latest first. */
export function listAudit(query: AuditQuery, signal?: AbortSignal): Promise<AuditList> {
  return unwrap(AUDIT, client.GET(AUDIT, { params: { query }, signal }))
}

/** Ends every session of the caller, this page's too. */
export function changeOwnPassword(current: string, password: string): Promise<User> {
  return unwrap(ME, client.PATCH(ME, { body: { current_password: current, password } }))
}

export function listTokens(signal?: AbortSignal): Promise<TokenList> {
  return unwrap(TOKENS, client.GET(TOKENS, { signal }))
}

/** The answer holds the token itself, this once. */
export function makeToken(label: string): Promise<TokenMade> {
  return unwrap(TOKENS, client.POST(TOKENS, { body: { label } }))
}

export async function removeToken(tokenId: string): Promise<void> {
  const path = { token_id: tokenId }
  await unwrap(`${TOKENS}/${tokenId}`, client.DELETE('/api/v1/tokens/{token_id}', { params: { path } }))
}
