import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { getMe, type Me } from '@/api/me'
import type { TaskSummary } from '@/api/types'

/** Whether to say of tasks who made them: where one person alone made them all, it says nothing. */
export function tellsMakers(me: Me | undefined, makers: readonly string[]): boolean {
  return me !== undefined && (me.via === 'user' || makers.some((maker) => maker !== me.name))
}

/** Whether the server lets them cancel, run again or delete this task; until it is known who they are, it is asked. */
export function mayChange(me: Me | undefined, task: Pick<TaskSummary, 'created_by'>): boolean {
  return me === undefined || me.can.change_all_tasks || task.created_by === me.name
}

/** Who reads this page; asked once, since another person comes by way of the login page. */
export function useMe() {
  const { data, error, refetch } = useQuery<Me>({
    queryKey: ['me'],
    queryFn: ({ signal }) => getMe(signal),
    staleTime: Infinity,
  })
  /** Whether there may be others: on an open server there is one person, and nothing to tell apart. */
  const isNamed = computed(() => data.value !== undefined && data.value.via !== 'open')
  const can = (what: keyof Me['can']): boolean => data.value?.can[what] ?? false
  return { me: data, isNamed, can, error, refetch }
}
