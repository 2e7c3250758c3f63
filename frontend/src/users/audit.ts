/** Who did what, page by page, and in words. */

import { useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'

import { type AuditEntry, type AuditList, listAudit, type User } from '@/api/users'
import type { Paged } from '@/tasks/paged'

const PAGE_SIZE = 50
export const AUDIT_KEY = ['audit']
/** What stands in the detail of these is the role, and what became of the tokens. */
const DETAIL_IS_ANOTHER = ['user.role_set', 'user.password_reset']
const DETAIL_IS_THE_NAME = ['user.created', 'user.removed']

/** The latest entries first; of one person with `by`. */
export function useAudit(by: MaybeRefOrGetter<string>): Paged<AuditEntry> {
  const { data, error, isPending, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    queryKey: computed(() => [...AUDIT_KEY, toValue(by)]),
    queryFn: ({ pageParam, signal }) =>
      listAudit({ by: toValue(by) || undefined, cursor: pageParam ?? undefined, limit: PAGE_SIZE }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last: AuditList) => last.next_cursor,
  })
  return {
    rows: computed(() => data.value?.pages.flatMap((page) => page.items) ?? []),
    hasMore: computed(() => hasNextPage.value),
    more: async () => void (await fetchNextPage()),
    isReading: isFetchingNextPage,
    error,
    isPending,
    refetch,
  }
}

/**
 * The name of the person that an entry is about, who may be gone. Older versions wrote none down: then the name they
 * have now, else what the entry tells, else what `entries` tell of their coming and going, else their id.
 */
export function subjectOf(entry: AuditEntry, users: readonly User[], entries: readonly AuditEntry[]): string {
  const name = entry.subject_name ?? users.find((user) => user.user_id === entry.subject)?.name
  if (name) return name
  if (!DETAIL_IS_ANOTHER.includes(entry.what)) return entry.detail || entry.subject
  const named = entries.find((one) => one.subject === entry.subject && DETAIL_IS_THE_NAME.includes(one.what))
  return named?.detail || entry.subject
}
