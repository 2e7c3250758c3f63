import { readonly, ref } from 'vue'

const outdated = ref(false)

/** True once the page on the screen is older than what the server has. */
export const isOutdated = readonly(outdated)

let firstRevision: string | undefined

/** Compare the server's revision with the first one seen. */
export function sawRevision(revision: string | undefined): void {
  if (revision === undefined) return
  firstRevision ??= revision
  if (revision !== firstRevision) outdated.value = true
}

/** A hashed file of an older build is gone from the server: say so instead of showing an empty page. */
export function watchForNewBuild(): void {
  globalThis.addEventListener('vite:preloadError', (event) => {
    event.preventDefault()
    outdated.value = true
  })
}
