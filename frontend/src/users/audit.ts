/** Who did what, page by page, and in words. */

import { useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'

import { type AuditEntry, type AuditList, listAudit, type User } from '@/api/users'
import type { Paged } from '@/tasks/paged'

const PAGE_SIZE = 50
export const AUDIT_KEY = ['audit']

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

/** The name of the person that an entry is about; of one who was removed, what was written down of them. */
export function subjectOf(entry: AuditEntry, users: readonly User[]): string {
  const name = users.find((user) => user.user_id === entry.subject)?.name
  const isNamed = entry.what !== 'user.role_set' && entry.what !== 'user.password_reset'
  return name ?? (isNamed && entry.detail ? entry.detail : entry.subject)
}
