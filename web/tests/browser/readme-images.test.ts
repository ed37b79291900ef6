/** The images of README.md. Only on request, by scripts/screenshots: they are committed. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useBrowser } from './browser';
import { type ArrangedPages, arrangedPages } from './pages';

const repository = path.resolve(import.meta.dirname, '../../..');
/** Pixels around a part of a page. */
const MARGIN = 12;
const HIGHEST_PART = 752;
const { visitor } = useBrowser();
let arranged: ArrangedPages;
beforeAll(async () => {
    arranged = await arrangedPages();
});

test.runIf(process.env.REFEREE_README_IMAGES)('the images of README.md', async () => {
    const images = path.join(repository, 'docs/images');
    await mkdir(images, { recursive: true });
    /** Pages, or what of them is shown. */
    const shown: Record<string, { theme: 'light' | 'dark'; part?: string; image?: string }> = {
        challenge: { theme: 'light' },
        leaderboard: { theme: 'light' },
        'submission-model': { theme: 'light', part: '.rest', image: 'submission' },
        pictures: { theme: 'dark', part: 'figure:has-text("Error against operations")' },
        history: { theme: 'dark', part: 'figure:has-text("Top-5 error by year")' },
    };
    for (const theme of ['light', 'dark'] as const) {
        await arranged.visitAll(visitor, { colorScheme: theme, viewport: { width: 1120, height: 860 }, reducedMotion: 'reduce' }, async ({ name }, page) => {
            const wanted = shown[name];
            if (wanted?.theme !== theme) return;
            const box = wanted.part ? await page.locator(wanted.part).first().boundingBox() : null;
            const clip = box && { x: box.x - MARGIN, y: box.y - MARGIN, width: box.width + 2 * MARGIN, height: Math.min(box.height, HIGHEST_PART) + 2 * MARGIN };
            const { length } = await page.screenshot({ path: path.join(images, `${wanted.image ?? name}.png`), ...(clip ? { fullPage: true, clip } : {}) });
            expect(length).toBeLessThan(200_000);
        });
    }
}, 300_000);
