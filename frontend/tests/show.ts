import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { render } from '@testing-library/vue'
import type { Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import { i18n } from '@/i18n'

const Nothing = { template: '<div />' }

/** Put a component on a page with everything the app gives it: language, addresses, queries. */
export async function show(component: Component, props: Record<string, unknown> = {}, path = '/') {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', name: 'overview', component: Nothing },
      { path: '/tasks', name: 'tasks', component: Nothing },
      { path: '/tasks/new', name: 'new-task', component: Nothing },
      { path: '/tasks/:taskId/:tab?', name: 'task', component: Nothing },
      { path: '/system', name: 'system', component: Nothing },
      { path: '/users/:view(audit)?', name: 'users', component: Nothing },
      { path: '/:rest(videos|accounts|settings)', name: 'other', component: Nothing },
    ],
  })
  await router.push(path)
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false, networkMode: 'always' } } })
  const page = render(component, {
    props,
    global: { plugins: [i18n, router, [VueQueryPlugin, { queryClient }]] },
  })
  return { ...page, router, queryClient }
}
