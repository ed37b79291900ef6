/** Pictures of each page for people to look at: target/screenshots/{page}-{theme}-{width}.png. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useBrowser } from './browser';
import { type ArrangedPages, arrangedPages } from './pages';

const repository = path.resolve(import.meta.dirname, '../../..');
const directory = path.join(repository, 'target/screenshots');
/** Pixels; the reference goes on beyond. */
const HIGHEST = 12_000;
/** Around a part of a page, in the images of README.md. */
const MARGIN = 12;
const HIGHEST_PART = 752;
const { visitor } = useBrowser();
let arranged: ArrangedPages;
beforeAll(async () => {
    await mkdir(directory, { recursive: true });
    arranged = await arrangedPages();
});

test.each([
    ['light', 360, 740],
    ['dark', 360, 740],
    ['light', 1280, 900],
    ['dark', 1280, 900],
    ['light', 3840, 2160],
    ['dark', 3840, 2160],
] as const)('each page in the %s theme, %d pixels wide', async (theme, width, height) => {
    await arranged.visitAll(visitor, { colorScheme: theme, viewport: { width, height }, reducedMotion: 'reduce' }, async ({ name }, page) => {
        // A screen as high as the page: pictures of a whole page from a lower one show type half enlarged on large screens.
        const whole = await page.evaluate(() => document.documentElement.scrollHeight);
        await page.setViewportSize({ width, height: Math.min(whole, HIGHEST) });
        await page.waitForTimeout(200);
        const { length } = await page.screenshot({ path: path.join(directory, `${name}-${theme}-${width}.png`) });
        expect(length).toBeGreaterThan(5_000);
        await page.setViewportSize({ width, height });
    });
}, 300_000);

// Only on request, by scripts/screenshots: they are committed.
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
