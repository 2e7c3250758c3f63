import type { ComponentHealth } from '@/api/types'
import type { Tone } from '@/tasks/status'

export const HEALTH_LOOK: Record<ComponentHealth['state'], { tone: Tone; mark: string }> = {
  ok: { tone: 'success', mark: '✓' },
  degraded: { tone: 'warning', mark: '◑' },
  down: { tone: 'danger', mark: '▲' },
  off: { tone: 'neutral', mark: '○' },
}
