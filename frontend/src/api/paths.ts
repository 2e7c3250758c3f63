/** The server's calls, and the one that the form's file field needs and the server's document does not name yet. */

import type { paths as generated } from './generated'
import type { Envelope, ErrorBody, Upload } from './types'

interface Uploads {
  '/api/v1/uploads': {
    post: {
      parameters: Record<string, never>
      requestBody: { content: { 'multipart/form-data': { file: Blob } } }
      responses: {
        200: { content: { 'application/json': Envelope<Upload> } }
        default: { content: { 'application/json': ErrorBody } }
      }
    }
  }
}

export type paths = generated & Uploads
