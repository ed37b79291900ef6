/** axe-core over a page as it stands, in both themes. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Theme } from './browser';

/** The rule and the elements of each violation. */
export async function violationsIn(page: Page, theme: Theme): Promise<string[]> {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.evaluate(async () => {
        // The theme takes effect with the next frame, and what moves ends a moment later.
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    });
    const { violations } = await new AxeBuilder({ page }).analyze();
    return violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html }) => html.slice(0, 200)).join('\n  ')}`);
}

/** Fails with the rule and the elements of each violation. */
export async function expectAccessible(page: Page): Promise<void> {
    for (const theme of ['light', 'dark'] as const) {
        expect(await violationsIn(page, theme), `${page.url()} in the ${theme} theme`).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
}
