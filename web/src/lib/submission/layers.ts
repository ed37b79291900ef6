/** The layers of a submitted model, and the picture of its first filters. */
import { answer, api } from '$lib/api/client';
import { Refusal } from '$lib/api/problem';
import type { ModelFilters, ModelLayers } from '$lib/api/schema';

/**
 * The layers; `null` where nobody has told them (yet).
 *
 * @throws {Refusal}
 */
export async function readLayers(id: string): Promise<ModelLayers | null> {
    try {
        return await answer(api.GET('/api/v1/submissions/{id}/layers', { params: { path: { id } } }));
    } catch (failure) {
        if (failure instanceof Refusal && failure.status === 404) return null;
        throw failure;
    }
}

/** `[n, height, width, channels]` of filters, by name. */
export function filterSizes({ shape: [number = 0, height = 0, width = 0, channels = 1] }: ModelFilters): {
    number: number;
    height: number;
    width: number;
    channels: number;
} {
    return { number, height, width, channels };
}

/** The filters one below and beside the other, with a pixel between, as RGBA in rows of `columns`. */
export function filterSheet(filters: ModelFilters, columns: number): ImageData {
    const { number, height, width, channels } = filterSizes(filters);
    const bytes = Uint8Array.from(atob(filters.data), (character) => character.charCodeAt(0));
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
