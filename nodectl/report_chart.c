/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report_chart.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "own.h"
#include "str.h"

#define WIDTH  640.0
#define HEIGHT 170.0
#define LEFT   58.0
#define MARGIN 8.0
#define TOP    10.0
#define BOTTOM 22.0

/* The place of a chart's figures on the page. */
struct plot {
	const struct chart *chart;
	double top; /* the figure at the upper end */
};

static double x_of(const struct plot *plot, double slot)
{
	return LEFT + (WIDTH - LEFT - MARGIN) * slot / (double)plot->chart->slots;
}

static double y_of(const struct plot *plot, double value)
{
	return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / plot->top);
}

/* The next of 1, 2, 5, 10, ... (or 1, 2, 4, ... of bytes), so that half of it is round too. */
double chart_top(double largest, bool binary)
{
	static const double steps[] = { 2, 2.5, 2 };
	double top = 1;

	if (!(largest > 0))
		return 1;
	while (binary && top < largest)
		top *= 2;
	/* down to where it would be too small, and up again */
	while (!binary && top > largest)
		top /= 10;
	for (unsigned i = 0; !binary && top < largest; i++)
		top *= steps[i % ARRAY_SIZE(steps)];
	return top;
}

static double largest_of(const struct chart *chart)
{
	double largest = 0;

	for (unsigned s = 0; s < chart->series_count; s++) {
		for (size_t i = 0; i < chart->slots; i++) {
			double value = chart->series[s].value[i];

			if (!isnan(value) && value > largest)
				largest = value;
		}
	}
	return largest;
}

static void value_text(const struct chart *chart, double value, char *text, size_t size)
{
	if (chart->binary)
		size_human((uint64_t)value, text, size);
	else
		snprintf(text, size, "%.3g", value);
}

static void grid_print(const struct plot *plot, FILE *out)
{
	for (int i = 0; i <= 2; i++) {
		double value = plot->top * i / 2, y = y_of(plot, value);
		char text[24];

		value_text(plot->chart, value, text, sizeof(text));
		fprintf(out,
			"<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"y\" x=\"%.0f\" y=\"%.1f\">%s</text>\n",
			LEFT, WIDTH - MARGIN, y, y, LEFT - 6, y + 4, text);
	}
}

/* The first, the middle and the last slot are named. */
static void times_print(const struct plot *plot, FILE *out)
{
	const struct chart *chart = plot->chart;
	static const char *const anchors[] = { "start", "middle", "end" };

	for (int i = 0; i <= 2; i++) {
		size_t slot = (chart->slots - 1) * (size_t)i / 2;
		int64_t time = chart->from + (int64_t)slot * chart->step;
		char text[32];

		time_print(time, text, sizeof(text));
		/* "14:00" of hours, "11-21" of days, "26-11" of months */
		fprintf(
		    out,
		    "<text class=\"x\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.0f\">%.5s</text>\n",
		    anchors[i],
		    i == 0   ? LEFT
		    : i == 2 ? WIDTH - MARGIN
			     : x_of(plot, (double)slot + 0.5),
		    HEIGHT - 6,
		    chart->step < 86400	   ? text + 11
		    : chart->step == 86400 ? text + 5
					   : text + 2);
	}
}

static void bars_print(const struct plot *plot, unsigned s, FILE *out)
{
	const struct chart *chart = plot->chart;
	double width = (x_of(plot, 1) - x_of(plot, 0)) * 0.8 / chart->series_count;

	fprintf(out, "<g class=\"s%u\">\n", s);
	for (size_t i = 0; i < chart->slots; i++) {
		double value = chart->series[s].value[i];
		double x = x_of(plot, (double)i + 0.1) + width * s;

		if (isnan(value) || !(value > 0))
			continue;
		fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
			x, y_of(plot, value), width, y_of(plot, 0) - y_of(plot, value));
	}
	fputs("</g>\n", out);
}

/* A line with steps, one a slot; where nothing is known there is none. */
static void line_print(const struct plot *plot, unsigned s, FILE *out)
{
	const struct chart *chart = plot->chart;
	bool on = false;

	fprintf(out, "<path class=\"l%u\" d=\"", s);
	for (size_t i = 0; i < chart->slots; i++) {
		double value = chart->series[s].value[i];

		if (isnan(value)) {
			on = false;
			continue;
		}
		fprintf(out, "%s%.2f %.2fH%.2f", on ? "L" : "M", x_of(plot, (double)i),
			y_of(plot, value), x_of(plot, (double)i + 1));
		on = true;
	}
	fputs("\"/>\n", out);
}

static void limit_print(const struct plot *plot, FILE *out)
{
	const struct chart *chart = plot->chart;
	char text[24];

	if (!(chart->limit > 0) || chart->limit > plot->top)
		return;
	value_text(chart, chart->limit, text, sizeof(text));
	fprintf(out,
		"<line class=\"limit\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
		LEFT, WIDTH - MARGIN, y_of(plot, chart->limit), y_of(plot, chart->limit));
}

void chart_print(const struct chart *chart, FILE *out)
{
	double largest = largest_of(chart);
	struct plot plot = { .chart = chart };

	/* a limit far above what is used would press the figures to the ground */
	if (chart->limit > 0 && chart->limit <= 4 * largest && chart->limit > largest)
		largest = chart->limit;
	plot.top = chart_top(largest, chart->binary);
	fprintf(out, "<figure><figcaption>%s", chart->title);
	for (unsigned s = 0; s < chart->series_count && chart->series_count > 1; s++)
		fprintf(out, " <span class=\"key k%u\">%s</span>", s, chart->series[s].name);
	fprintf(out,
		"</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
		"aria-label=\"%s\">\n",
		WIDTH, HEIGHT, chart->title);
	grid_print(&plot, out);
	times_print(&plot, out);
	for (unsigned s = 0; s < chart->series_count; s++) {
		if (chart->bars)
			bars_print(&plot, s, out);
		else
			line_print(&plot, s, out);
	}
	limit_print(&plot, out);
	fputs("</svg></figure>\n", out);
}
