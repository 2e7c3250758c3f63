import { client, unwrap } from './client'
import type { Upload } from './types'

/** Send one file; the answer names it for a parameter of the format x-media. */
export function upload(file: File): Promise<Upload> {
  const path = '/api/v1/uploads'
  const form = new FormData()
  form.append('file', file)
  return unwrap(path, client.POST(path, { body: form as never, bodySerializer: (body: unknown) => body as FormData }))
}
