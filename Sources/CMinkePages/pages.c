#include "CMinkePages.h"

// Newer than the standard that the package is written in, but an extension that clang has for all of them.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char answerScript[] = {
#embed "web/answer.js"
};
static const unsigned char baseStyle[] = {
#embed "web/base.css"
};
static const unsigned char chatStyle[] = {
#embed "web/chat.css"
};
static const unsigned char chatPage[] = {
#embed "web/chat.html"
};
static const unsigned char chatScript[] = {
#embed "web/chat.js"
};
static const unsigned char clientScript[] = {
#embed "web/client.js"
};
static const unsigned char domScript[] = {
#embed "web/dom.js"
};
static const unsigned char historyScript[] = {
#embed "web/history.js"
};
static const unsigned char markdownScript[] = {
#embed "web/markdown.js"
};
static const unsigned char messageScript[] = {
#embed "web/message.js"
};
static const unsigned char plotScript[] = {
#embed "web/plot.js"
};
static const unsigned char preferencesScript[] = {
#embed "web/preferences.js"
};
static const unsigned char runStyle[] = {
#embed "web/run.css"
};
static const unsigned char runPage[] = {
#embed "web/run.html"
};
static const unsigned char runScript[] = {
#embed "web/run.js"
};
static const unsigned char seriesScript[] = {
#embed "web/series.js"
};
static const unsigned char themeScript[] = {
#embed "web/theme.js"
};
static const unsigned char whaleImage[] = {
#embed "web/whale.svg"
};

#define FILE(name, array) {name, array, sizeof array}

static const MinkePageFile files[] = {
    FILE("answer.js", answerScript),   FILE("base.css", baseStyle),       FILE("chat.css", chatStyle),
    FILE("chat.html", chatPage),       FILE("chat.js", chatScript),       FILE("client.js", clientScript),
    FILE("dom.js", domScript),         FILE("history.js", historyScript), FILE("markdown.js", markdownScript),
    FILE("message.js", messageScript), FILE("plot.js", plotScript),       FILE("preferences.js", preferencesScript),
    FILE("run.css", runStyle),         FILE("run.html", runPage),         FILE("run.js", runScript),
    FILE("series.js", seriesScript),   FILE("theme.js", themeScript),     FILE("whale.svg", whaleImage),
};

size_t minkePageFileCount(void) { return sizeof files / sizeof *files; }

MinkePageFile minkePageFile(size_t index) { return files[index]; }
