/** One login, from the opened page to its end: what the server says of it, and the picture it shows. */

import { onBeforeUnmount, onMounted, ref, shallowRef } from 'vue'

import { endLogin, loginStreamUrl, startLogin, type Login, type LoginPicture } from '@/api/accounts'
import { ApiError } from '@/api/errors'

const ENDS = new Set<Login['state']>(['done', 'failed', 'timed_out', 'cancelled'])

export function isOver(login: Login | null): boolean {
  return login !== null && ENDS.has(login.state)
}

/** Begins when the component comes, and is ended with it: nobody scans a code that is not on the screen. */
export function useLogin(platform: string, account: string | null, onDone: () => void) {
  const login = shallowRef<Login | null>(null)
  const error = shallowRef<Error | null>(null)
  const pictureKind = ref<LoginPicture['kind'] | null>(null)
  const pictureUrl = ref<string | null>(null)
  let source: EventSource | null = null
  let hasLeft = false

  function show(picture: LoginPicture | null): void {
    if (pictureUrl.value !== null) URL.revokeObjectURL(pictureUrl.value)
    pictureKind.value = picture?.kind ?? null
    pictureUrl.value = picture && URL.createObjectURL(blobOf(picture))
  }

  function follow(): void {
    source = new EventSource(loginStreamUrl(platform, account))
    source.addEventListener('state', (event: MessageEvent<string>) => heard(JSON.parse(event.data) as Login))
    source.addEventListener('qr', (event: MessageEvent<string>) => show(JSON.parse(event.data) as LoginPicture))
    source.onerror = () => {
      // Closed for good: refused, or the server is away. Otherwise it connects again by itself.
      if (source?.readyState === EventSource.CLOSED && !isOver(login.value)) {
        error.value = new Error('EventSource')
        show(null)
      }
    }
  }

  function heard(told: Login): void {
    login.value = told
    if (!isOver(told)) return
    source?.close()
    show(null)
    if (told.state === 'done') onDone()
  }

  async function begin(): Promise<void> {
    error.value = null
    login.value = null
    try {
      login.value = await startLogin(platform, account)
    } catch (cause) {
      // Another page has begun it: this one shows the same.
      if (!(cause instanceof ApiError && cause.errorName === 'STATE_CONFLICT')) {
        error.value = cause as Error
        return
      }
    }
    if (hasLeft) void leave()
    else follow()
  }

  async function leave(): Promise<void> {
    try {
      await endLogin(platform, account)
    } catch {
      // It has ended, or ends by itself when nobody looks at it.
    }
  }

  onMounted(begin)
  onBeforeUnmount(() => {
    hasLeft = true
    source?.close()
    show(null)
    if (login.value !== null && !isOver(login.value)) void leave()
  })
  return { login, error, pictureKind, pictureUrl, begin }
}

function blobOf(picture: LoginPicture): Blob {
  const bytes = Uint8Array.from(atob(picture.data), (char) => char.charCodeAt(0))
  return new Blob([bytes], { type: picture.media_type })
}
