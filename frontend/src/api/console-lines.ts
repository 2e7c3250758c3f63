/** The two lines the owner reads in the browser's console: always in dev, in the built app only with localStorage.debug=1. */

function isOn(): boolean {
  return import.meta.env.DEV || globalThis.localStorage?.getItem('debug') === '1'
}

export function logResponse(path: string): void {
  if (isOn()) console.log(`📥 API 响应: ${path}`)
}

export function logError(status: number, name: string, path: string): void {
  if (isOn()) console.error(`❌ 响应错误: ${status} ${name} ${path}`)
}
