import { client, unwrap } from './client'
import type { components } from './generated'

type Schemas = components['schemas']

export type Account = Schemas['AccountOut']
export type AccountList = Schemas['AccountList']
export type AccountChecked = Schemas['AccountChecked']
export type Problem = Schemas['ProblemOut']
export type Login = Schemas['LoginOut']
export type LoginPicture = Schemas['LoginPictureOut']

const ACCOUNTS = '/api/v1/accounts'

export function listAccounts(signal?: AbortSignal): Promise<AccountList> {
  return unwrap(ACCOUNTS, client.GET(ACCOUNTS, { signal }))
}

export interface NewAccount {
  platform: string
  label: string
  cookies?: string
}

export function createAccount(account: NewAccount): Promise<Account> {
  return unwrap(ACCOUNTS, client.POST(ACCOUNTS, { body: account }))
}

export interface AccountEdit {
  label?: string
  cookies?: string
  is_default?: true
}

export function changeAccount(accountId: string, edit: AccountEdit): Promise<Account> {
  const path = { account_id: accountId }
  const call = client.PATCH('/api/v1/accounts/{account_id}', { params: { path }, body: edit })
  return unwrap(`${ACCOUNTS}/${accountId}`, call)
}

export async function removeAccount(accountId: string): Promise<void> {
  const path = { account_id: accountId }
  await unwrap(`${ACCOUNTS}/${accountId}`, client.DELETE('/api/v1/accounts/{account_id}', { params: { path } }))
}

/** Look whether the account is logged in; takes as long as the platform's page. */
export function checkAccount(accountId: string): Promise<AccountChecked> {
  const path = { account_id: accountId }
  const call = client.POST('/api/v1/accounts/{account_id}/check', { params: { path } })
  return unwrap(`${ACCOUNTS}/${accountId}/check`, call)
}

/** Open the login page of an account; null is the platform's default one, made when the login went well. */
export function startLogin(platform: string, account: string | null): Promise<Login> {
  const call = client.POST('/api/v1/accounts/{platform}/login', { params: { path: { platform } }, body: { account } })
  return unwrap(`${ACCOUNTS}/${platform}/login`, call)
}

export async function endLogin(platform: string, account: string | null): Promise<void> {
  const params = { path: { platform }, query: account === null ? {} : { account } }
  await unwrap(`${ACCOUNTS}/${platform}/login`, client.DELETE('/api/v1/accounts/{platform}/login', { params }))
}

export function loginStreamUrl(platform: string, account: string | null): string {
  const search = account === null ? '' : `?${new URLSearchParams({ account })}`
  return `${ACCOUNTS}/${encodeURIComponent(platform)}/login${search}`
}
