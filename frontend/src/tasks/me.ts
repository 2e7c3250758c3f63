import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { getMe, type Me } from '@/api/me'

/** Whether to say of tasks who made them: where one person alone made them all, it says nothing. */
export function tellsMakers(me: Me | undefined, makers: readonly string[]): boolean {
  return me !== undefined && (me.via === 'user' || makers.some((maker) => maker !== me.name))
}

/** Who reads this page; asked once, since another person comes by way of the login page. */
export function useMe() {
  const { data } = useQuery<Me>({
    queryKey: ['me'],
    queryFn: ({ signal }) => getMe(signal),
    staleTime: Infinity,
  })
  /** Whether there may be others: on an open server there is one person, and nothing to tell apart. */
  const isNamed = computed(() => data.value !== undefined && data.value.via !== 'open')
  return { me: data, isNamed }
}
