/** The address when it is one a person may follow; crawled data may hold javascript: and worse. */
export function safeLink(url: string | null | undefined): string | undefined {
  return url && /^https?:\/\//i.test(url) ? url : undefined
}
