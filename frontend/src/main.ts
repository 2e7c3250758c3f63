import './styles/tokens.css'
import './styles/base.css'
import './styles/tones.css'

import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'

import App from './App.vue'
import { ApiError } from './api/errors'
import { applyTheme } from './app/preferences'
import { watchForNewBuild } from './app/version'
import { firstLocale, i18n, setLocale } from './i18n'
import { router } from './router'
import { isLive, startStream } from './stream/stream'

applyTheme()
watchForNewBuild()

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays a refusal; only silence is worth asking again.
      retry: (failures, error) => failures < 1 && error instanceof ApiError && error.isOffline,
      retryDelay: 500,
      refetchOnWindowFocus: () => !isLive.value,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})

startStream(queryClient)
await setLocale(firstLocale(location.search))
createApp(App).use(i18n).use(router).use(VueQueryPlugin, { queryClient }).mount('#app')
