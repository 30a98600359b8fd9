"""The taxonomy everybody starts with, in sentences (`spec`: organizing, taxonomy).

Sentences are written as such texts speak, or as one would describe such a picture: on 34 texts of
16 categories that was right 24 points more often than bare names (DESIGN 5).
"""

from models.domain.categories import NEEDS_REVIEW, TAXONOMY, coarse_category
from models.domain.taxonomy import Category, Taxonomy, Topic

_TEXTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Scans", "Receipts"): ("store receipt: items, subtotal, tax, total, cash, change, thank you",),
    ("Finance", "Invoices"): (
        "Invoice number, date of invoice, bill to, description, quantity, unit price, amount due.",
        "Please pay the total of this invoice within 30 days to our account.",
        "A bill from a supplier with line items, VAT and the amount to be paid.",
    ),
    ("Finance", "Bank"): (
        "Bank account statement: opening balance, deposits, withdrawals, closing balance.",
        "A list of transactions on a checking account or a credit card.",
        "Transfer confirmation with IBAN, beneficiary and reference.",
    ),
    ("Finance", "Tax"): (
        "Income tax return for the tax year: taxable income, deductions, refund.",
        "A notice from the tax office or the Internal Revenue Service.",
        "Form for reporting wages and taxes withheld.",
    ),
    ("Finance", "Payroll"): (
        "Pay slip: gross pay, deductions, social security, net pay for the month.",
        "An earnings statement that an employer gives to an employee.",
    ),
    ("Finance", "Insurance"): (
        "Insurance policy: policy number, coverage, premium, deductible, insured person.",
        "A letter from an insurance company about a claim.",
    ),
    ("Legal", "Contracts"): (
        "This agreement is made between the parties, who agree to the following terms.",
        "Terms and conditions, governing law, termination, liability, signatures of both parties.",
        "A non-disclosure agreement or a license agreement.",
        "Permission is hereby granted; the license is provided as is, without warranty.",
    ),
    ("Legal", "Certificates"): (
        "This is to certify that the person named has completed and is awarded this certificate.",
        "A birth, marriage or death certificate issued by a registry.",
        "A diploma or an official confirmation with a seal.",
    ),
    ("Legal", "Property"): (
        "Lease agreement for an apartment between landlord and tenant: rent and deposit.",
        "A deed, mortgage or purchase contract for a house and land.",
    ),
    ("Work", "Reports"): (
        "A quarterly business report: executive summary, results, outlook, recommendations.",
        "This report presents the findings of the project and its status.",
        "An annual report of a company with revenue, costs and strategy.",
        "A project proposal with goals, scope, budget and schedule.",
    ),
    ("Work", "Presentations"): (
        "Slides of a presentation: agenda, overview, key points, next steps, questions.",
    ),
    ("Work", "Spreadsheets"): ("A spreadsheet of a budget, a plan or a forecast by month.",),
    ("Work", "Meetings"): (
        "Minutes of the meeting: attendees, agenda items, decisions, action items.",
        "Notes of a team call with tasks and who is to do them by when.",
        "An invitation to a meeting with date, time and place.",
    ),
    ("Education", "Papers"): (
        "Abstract. In this paper we propose a method and show results. Keywords. References.",
        "A scientific article with introduction, methods, results and discussion.",
        "A thesis submitted for the degree at a university.",
    ),
    ("Education", "Notes"): (
        "Lecture notes and a summary of what was learned for the exam.",
        "An explanation of a topic for students, with definitions and examples.",
    ),
    ("Education", "Courses"): (
        "Course syllabus: lectures, assignments, grading, reading list.",
        "Homework sheet with exercises and questions for students.",
    ),
    ("Health", "Results"): (
        "Laboratory result of a blood test: hemoglobin, glucose, cholesterol, reference range.",
        "A medical report of a patient with diagnosis and findings of an examination.",
    ),
    ("Health", "Prescriptions"): (
        "Prescription: take one tablet of this medicine twice a day, dosage in mg, refills.",
    ),
    ("Health", "Bills"): ("A bill of a hospital or doctor for treatment, covered by insurance.",),
    ("Personal", "Travel"): (
        "Flight itinerary: boarding pass, departure, arrival, seat, booking reference.",
        "Hotel reservation confirmation with check-in and check-out dates.",
        "A travel plan with sights, trains and places to visit.",
    ),
    ("Personal", "Recipes"): (
        "Ingredients: flour, butter, eggs, sugar. Preheat the oven, mix and bake for 30 minutes.",
        "A recipe for cooking a meal, step by step.",
    ),
    ("Personal", "Letters"): (
        "Dear grandma, thank you for your letter; we miss you. With love.",
        "A personal letter or a diary entry about family and friends.",
        "Dear Sir or Madam, I am writing to you regarding. Yours sincerely.",
    ),
    ("Personal", "CV"): (
        "Curriculum vitae: work experience, education, skills, languages, references.",
        "A cover letter for a job application.",
    ),
    ("Books", "E-books"): (
        "Chapter one of a novel: he looked at her and said nothing.",
        "A book of fiction with a story, characters and dialogue.",
    ),
    ("Books", "Manuals"): (
        "User manual: installation, safety instructions, operation, troubleshooting.",
        "Documentation of a program: usage, options, examples, how to configure it.",
        "Technical specification of a device or a file format.",
    ),
    ("Data", "Logs"): ("Log file with timestamps, INFO, WARNING and ERROR messages.",),
    ("Mail and chat", "Messages"): (
        "From, to, subject, sent: Hi all, please see below. Best regards.",
    ),
}

_PICTURES: dict[tuple[str, str], tuple[str, ...]] = {
    ("Photos", "People"): (
        "a photo of a person",
        "a photo of people at a party",
        "a portrait",
        "a selfie",
    ),
    ("Photos", "Pets"): ("a photo of a cat", "a photo of a dog", "a photo of a pet animal"),
    ("Photos", "Places"): (
        "a photo of a city street",
        "a photo of a building",
        "a photo of a room",
        "a photo of a landmark",
    ),
    ("Photos", "Food"): ("a photo of food on a plate", "a photo of a meal", "a photo of a drink"),
    ("Photos", "Events"): ("a photo of a wedding", "a photo of a concert", "a photo of a match"),
    ("Photos", "Nature"): (
        "a photo of a landscape",
        "a photo of mountains and trees",
        "a photo of a flower",
        "a photo of the sea",
    ),
    ("Screens and graphics", "Screenshots"): (
        "a screenshot of an app",
        "a screenshot of a web page",
        "a screenshot of a phone",
    ),
    ("Screens and graphics", "Memes"): ("an internet meme with bold text on a picture",),
    ("Screens and graphics", "Design"): (
        "a logo",
        "a vector illustration",
        "a diagram",
        "a chart",
    ),
    ("Screens and graphics", "Icons"): ("an icon of an app",),
    ("Screens and graphics", "AI-generated"): ("a fantastic image made by a generative model",),
    ("Scans", "Receipts"): ("a scanned receipt", "a photo of a receipt"),
    ("Scans", "IDs"): ("a scan of an identity card", "a photo of a passport"),
    ("Scans", "Letters"): ("a scanned letter", "a scanned page of a document"),
    ("Scans", "Handwriting"): ("a page of handwriting", "a handwritten note"),
    ("Scans", "Whiteboards"): ("a photo of a whiteboard with writing on it",),
    ("Videos", "Personal"): ("a person talking to the camera", "a home video of a family"),
    ("Videos", "Movies"): ("a scene of a movie", "a scene of an animated film"),
    ("Videos", "Screen recordings"): ("a recording of a computer screen",),
    ("Videos", "Clips"): ("a short clip of something funny", "a television program"),
}


def _topic(category: str, name: str) -> Topic:
    return Topic(
        name=name,
        prompts=_TEXTS.get((category, name), ()),
        image_prompts=_PICTURES.get((category, name), ()),
    )


def default_taxonomy() -> Taxonomy:
    """Return the two levels of the specification with their sentences."""
    return Taxonomy(
        categories=tuple(
            Category(
                topic=Topic(name=category),
                coarse=coarse_category(category),
                subcategories=tuple(_topic(category, name) for name in names),
            )
            for category, names in TAXONOMY.items()
            if category != NEEDS_REVIEW
        )
    )
