import type { Me } from '@/api/me'

/** An admin who signed in with a name, but for what a test says otherwise. */
export function anAdmin(change: Partial<Me> = {}): Me {
  return {
    name: '安娜',
    role: 'admin',
    user_id: 'u_1',
    via: 'user',
    task_visibility: 'team',
    can: { manage_users: true, read_audit: true, change_all_tasks: true, set_password: true, make_tokens: true },
    ...change,
  }
}

export function aMember(change: Partial<Me> = {}): Me {
  const can = { manage_users: false, read_audit: false, change_all_tasks: false, set_password: true, make_tokens: true }
  return anAdmin({ name: 'bo', role: 'member', user_id: 'u_2', can, ...change })
}

/** The one person of a server where nobody signs in. */
export function nobody(): Me {
  const can = { ...anAdmin().can, set_password: false, make_tokens: false }
  return anAdmin({ name: 'local', user_id: null, via: 'open', can })
}
