/** The layers of a submitted model, as `GET /api/v1/submissions/{id}/layers` tells them. */
import { Refusal, refusalOf } from '$lib/api/problem';

export interface Layer {
    name: string;
    /** The operator: `Conv`, `Gemm`… */
    op: string;
    output_shape: number[];
    parameters: number;
    macs: number;
}

/** The first convolution's weights, scaled to 0–255. */
export interface FilterImage {
    /** How many, height, width, channels (1 or 3). */
    shape: [number, number, number, number];
    /** Base64 of the bytes in that order. */
    data: string;
}

export interface LayersDocument {
    layers: Layer[];
    filters: FilterImage | null;
}

/**
 * The layers; `null` where nobody has told them (yet).
 *
 * @throws {Refusal}
 */
export async function readLayers(id: string): Promise<LayersDocument | null> {
    const response = await fetch(`/api/v1/submissions/${encodeURIComponent(id)}/layers`).catch((cause: unknown) => {
        throw Refusal.offline(cause);
    });
    if (response.status === 404) return null;
    const document: unknown = await response.json();
    if (!response.ok) throw refusalOf(response, document);
    return document as LayersDocument;
}

/** The filters one below and beside the other, with a pixel between, as RGBA in rows of `columns`. */
export function filterSheet({ shape: [number, height, width, channels], data }: FilterImage, columns: number): ImageData {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const rows = Math.ceil(number / columns);
    const sheet = new ImageData(columns * (width + 1) - 1, rows * (height + 1) - 1);
    for (let filter = 0; filter < number; filter += 1) {
        const left = (filter % columns) * (width + 1);
        const top = Math.floor(filter / columns) * (height + 1);
        for (let y = 0; y < height; y += 1) {
            for (let x = 0; x < width; x += 1) {
                const from = ((filter * height + y) * width + x) * channels;
                const to = ((top + y) * sheet.width + left + x) * 4;
                for (let channel = 0; channel < 3; channel += 1) {
                    sheet.data[to + channel] = bytes[from + (channels === 1 ? 0 : channel)] ?? 0;
                }
                sheet.data[to + 3] = 255;
            }
        }
    }
    return sheet;
}
