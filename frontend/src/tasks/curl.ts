import type { TaskCreate } from '@/api/types'

/** The same create as a shell command; a quote in the parameters stays a quote. */
export function curlOf(task: TaskCreate): string {
  const body = JSON.stringify(task).replaceAll("'", String.raw`'\''`)
  return [
    `curl -X POST ${globalThis.location.origin}/api/v1/tasks`,
    `-H 'Content-Type: application/json'`,
    `-d '${body}'`,
  ].join(' \\\n  ')
}
