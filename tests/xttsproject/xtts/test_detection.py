"""Languages are told from the text, or not at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xttsproject.xtts.detection import detect
from xttsproject.xtts.languages import LANGUAGES

TEXTS = {
    "en": [
        "Where is the station?",
        "I bought some bread this morning.",
        "Tomorrow will be fine, but take an umbrella.",
    ],
    "es": ["¿Dónde está la estación?", "Esta mañana he comprado pan.", "Mañana hará buen tiempo, lleva un paraguas."],
    "fr": ["Où est la gare ?", "Ce matin, j'ai acheté du pain.", "Il fera beau demain, mais prends un parapluie."],
    "de": [
        "Wo ist der Bahnhof?",
        "Heute Morgen habe ich Brot gekauft.",
        "Morgen wird es schön, nimm aber einen Schirm.",
    ],
    "it": ["Dov'è la stazione?", "Stamattina ho comprato del pane.", "Domani farà bel tempo, ma prendi un ombrello."],
    "pt": ["Onde fica a estação?", "Hoje de manhã comprei pão.", "Amanhã vai fazer bom tempo, leve um guarda-chuva."],
    "pl": ["Gdzie jest dworzec?", "Dziś rano kupiłem chleb.", "Jutro będzie ładna pogoda, ale weź parasol."],
    "tr": ["İstasyon nerede?", "Bu sabah ekmek aldım.", "Yarın hava güzel olacak ama şemsiye al."],
    "ru": ["Где вокзал?", "Сегодня утром я купил хлеб.", "Завтра будет хорошая погода, но возьми зонт."],
    "nl": [
        "Waar is het station?",
        "Vanmorgen heb ik brood gekocht.",
        "Morgen wordt het mooi weer, neem een paraplu mee.",
    ],
    "cs": ["Kde je nádraží?", "Dnes ráno jsem koupil chleba.", "Zítra bude hezky, ale vezmi si deštník."],
    "ar": ["أين المحطة؟", "اشتريت الخبز هذا الصباح.", "سيكون الطقس جميلا غدا، لكن خذ مظلة."],
    "zh-cn": ["车站在哪里？", "我今天早上买了面包。", "明天天气会很好，但是带把伞吧。"],
    "hu": ["Hol van az állomás?", "Ma reggel kenyeret vettem.", "Holnap szép idő lesz, de vigyél esernyőt."],
    "ko": ["역이 어디예요?", "오늘 아침에 빵을 샀어요.", "내일은 날씨가 좋겠지만 우산을 가져가세요."],
    "ja": ["駅はどこですか。", "今朝パンを買いました。", "明日は晴れますが、傘を持って行ってください。"],
    "hi": ["स्टेशन कहाँ है?", "मैंने आज सुबह रोटी खरीदी।", "कल मौसम अच्छा रहेगा, लेकिन छाता ले जाना।"],
}


def test_all_languages_of_the_model_are_told() -> None:
    assert TEXTS.keys() == LANGUAGES.keys()
    told = {text: detect(text) for texts in TEXTS.values() for text in texts}
    assert told == {text: code for code, texts in TEXTS.items() for text in texts}


@pytest.mark.parametrize("text", ["", "123", "…?!", "OK", "Anna", "Bom dia.", "Paris", "www.example.com"])
def test_what_does_not_tell_is_not_guessed(text: str) -> None:
    assert detect(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("我用 Python 和 JavaScript 写程序", "zh-cn"),
        ("東京 Tokyo Tower に行きます", "ja"),
        ("東京タワーまで歩いて行きます", "ja"),
        ("Он работает в Google Maps", "ru"),
        ("The word for river is 川 in that language.", "en"),
        ("An email from Иван arrived on the third of May.", "en"),
    ],
)
def test_the_letters_that_carry_the_text_decide(text: str, code: str) -> None:
    assert detect(text) == code


def test_the_library_is_loaded_when_it_is_needed() -> None:
    program = (
        "import sys; from xttsproject.xtts.detection import detect; detect('Где?'); print('py3langid' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
