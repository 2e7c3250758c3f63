import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

import TasksPage from './pages/TasksPage.vue'

export const TABS = ['log', 'results', 'pages', 'artifacts', 'params', 'events'] as const
export type Tab = (typeof TABS)[number]

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'overview', component: () => import('./pages/OverviewPage.vue') },
  { path: '/tasks', name: 'tasks', component: TasksPage },
  { path: '/tasks/new', name: 'new-task', component: () => import('./pages/NewTaskPage.vue') },
  {
    path: `/tasks/:taskId/:tab(${TABS.join('|')})?`,
    name: 'task',
    component: () => import('./pages/TaskPage.vue'),
    props: true,
  },
  { path: '/videos', name: 'videos', component: () => import('./pages/VideosPage.vue') },
  { path: '/accounts', name: 'accounts', component: () => import('./pages/AccountsPage.vue') },
  { path: '/system', name: 'system', component: () => import('./pages/SystemPage.vue') },
  { path: '/users/:view(audit)?', name: 'users', component: () => import('./pages/UsersPage.vue'), props: true },
  { path: '/settings', name: 'settings', component: () => import('./pages/SettingsPage.vue') },
  { path: '/:rest(.*)*', name: 'missing', component: () => import('./pages/MissingPage.vue') },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})
